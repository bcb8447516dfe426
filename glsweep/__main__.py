"""`python -m glsweep` is the command `glsweep`."""

from glsweep.run import run_and_exit

if __name__ == "__main__":
    run_and_exit()
