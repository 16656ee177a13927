"""Runs pipelines.

beam_options            parses the options after `--`; what they ask of the local engine
addresses               whether somebody answers at an address, whether a host is this machine
flink_rest              asks a Flink cluster through its REST interface, and cancels its jobs there
given_options           Beam's options as the user gave them, and as gritmill completes them
flink_cluster           whether a Flink cluster fits: version, slots, restarts
worker_environment      how a remote engine starts workers
remote                  an engine outside of this process: whether it is there and fits, before the graph is built
engine_errors           what a remote engine says about a failure, as one line with address and cure
job_server              the process between the driver and Beam's job server, which ends with the driver
heartbeat               how the driver and the workers of a run say that they are alive
signs_of_life           whether another process is alive, of an earlier job or of this one
worker_context          what each step on a worker does first: it asks for the lease of its run
lasting_faults          what keeps a worker from working for good
watch                   the driver's watch on a job: whether its workers start, and do something
claim                   what a call has of its run folder, and how its job is ended
worker_errors           what Beam says about an exception on a worker, as one line
adapted_beam            changes to Beam while a pipeline runs
run_pipeline            runs a pipeline on the engine that the user selects, and watches it until it ends
local_workers, worker   local processes: start and watch them; the process itself
engine_worker           `gritmill-worker`, the process that an engine starts on its machines
versions, submission    the versions that must be equal; what a driver tells the workers of an engine
placement               device and threads of the detector, workers of `pack`
progress, pace          shows the progress of a run; its pace and the time left
run_folder              a call's claim on its run folder: lock, log and lease
"""
