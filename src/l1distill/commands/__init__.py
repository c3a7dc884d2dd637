"""What the command line does besides stages: nothing here has a run or an output folder."""
