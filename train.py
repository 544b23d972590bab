"""Train one model.

python train.py [model=classifier|skullstripper|segmenter] [key=value ...]
"""

from brainseg.system.process import command

if __name__ == "__main__":
    with command():
        from brainseg.commands.main import train_main

        train_main()
