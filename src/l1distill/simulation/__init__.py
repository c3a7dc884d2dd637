"""Physics simulation for any task: PYTHIA collisions, detector response and detector objects.

What differs between tasks is a parameter: the processes, the collision energy [GeV], the veto and
the detector settings. The package imports no task.
"""
