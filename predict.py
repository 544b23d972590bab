"""Predict from checkpoints alone.

python predict.py input=PATH skullstripper=A.ckpt classifier=B.ckpt segmenter=C.ckpt [key=value ...]
"""

from brainseg.app import predict_main

if __name__ == "__main__":
    predict_main()
