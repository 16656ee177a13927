"""Other libraries write data sets that gritmill reads, and read what gritmill exports: `make interop`.

producers, written      programs that write data sets, and what they return
truth, server, check    the pairs that they write; their comparison with what gritmill reads
consumers, seen         programs that read exports, and what they return
finished_run, check_exports    the run that is exported; the comparison of its samples with what libraries see
"""
