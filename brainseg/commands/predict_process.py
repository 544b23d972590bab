"""`python -m brainseg.commands.predict_process key=value ...`, the same as `python predict.py key=value ...`.

It is there for hydra/launcher=local_parallel, which begins each job in a process of its own.
"""

from brainseg.system.launched import end_with_launcher
from brainseg.system.process import command

if __name__ == "__main__":
    with command():
        end_with_launcher()
        from brainseg.commands.main import predict_main

        predict_main()
