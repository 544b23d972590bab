"""`python -m brainseg.commands.train_process key=value ...`, the same as `python train.py key=value ...`.

It is there for whatever begins a training in a process of its own: hydra/launcher=local_parallel, and
Lightning, which begins each further process of a training with `python -m` and the name of the module that
runs, or with the path of the script. For `brainseg train` neither is there to be run again.
"""

from brainseg.system.launched import end_with_launcher
from brainseg.system.process import command

if __name__ == "__main__":
    with command():
        end_with_launcher()
        from brainseg.commands.main import train_main

        train_main()
