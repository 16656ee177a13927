"""Runs pipelines.

run_pipeline            runs a pipeline on the engine that the user selects, and converts its errors
local_workers, worker   local processes: start and watch them; the process itself
placement               device and threads of the detector, workers of `pack`
flink_rest              asks a Flink cluster through its REST interface, and cancels its jobs there
progress, pace          shows the progress of a run; its pace and the time left
"""
