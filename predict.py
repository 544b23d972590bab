"""Predict from checkpoints alone.

python predict.py input=PATH skullstripper=A.ckpt classifier=B.ckpt segmenter=C.ckpt [key=value ...]
"""

from brainseg.system.process import command

if __name__ == "__main__":
    with command():
        from brainseg.commands.main import predict_main

        predict_main()
