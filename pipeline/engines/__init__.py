"""How a pipeline is run.

run_pipeline            the engine that the user's options name, and what its failures mean
local_workers, worker   local processes: how they are started and watched; the process itself
placement               device and threads of the detector, workers of pack
progress                how far a run is, on the screen
"""
