"""Train one model.

python train.py [model=classifier|skullstripper|segmenter] [key=value ...]
"""

from brainseg.process import command

if __name__ == "__main__":
    with command():
        from brainseg.app import train_main

        train_main()
