"""Real engines on this machine: the same bytes on each, with any process dying. Run by `make cluster`.

java, fetch         Java; Flink and Spark, by exact version from PyPI, in `.clusters/`
processes           processes and their groups: start, find, kill, and leave none behind
engine              what all engines have in common
beam, flink, spark  how each of them is started, and what of it can be killed
noted_grounder      a detector that notes each picture that it looks at
trial               the input, the run of the local engine, and a run on an engine
rows                what is tried on each engine
"""
