"""Train one model.

python train.py [model=classifier|skullstripper|segmenter] [key=value ...]
"""

from brainseg.app import train_main

if __name__ == "__main__":
    train_main()
