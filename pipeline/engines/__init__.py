"""Runs pipelines.

run_pipeline            runs a pipeline on the engine that the user selects, and converts its errors
local_workers, worker   local processes: start and watch them; the process itself
engine_worker           `gritmill-worker`, the process that an engine starts on its machines
versions, submission    the versions that must be equal; what a driver tells the workers of an engine
lasting_faults          why a worker refuses its work, in the run folder
placement               device and threads of the detector, workers of `pack`
progress, pace          shows the progress of a run; its pace and the time left
"""
