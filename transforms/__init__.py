"""What happens to a pair, step by step, in the order in which it meets them.

records             the records that flow
settings            what a user can set about these steps
bundled             what comes with gritmill besides code: configurations, models, examples
images              measure, decode, turn upright
drop_lists          heads of noun phrases that name nothing to draw a box around
extract_phrases     caption -> noun phrases and referring expressions (spaCy); parsed: what its rules look at
build_prompts       phrases -> detector prompts and token spans
canvas              picture -> the detector's input tensor
detector            what a detector is, and how one is loaded
prepare_batches     requests -> batches on equal canvases, decoded in threads
grounding_dino      the Grounding DINO family of transformers
fast_forward/       its forward, with modules replaced by faster ones
read_boxes          what the model gives for one prompt -> candidate boxes
blame               find the culprit of a failing batch
localize_phrases    phrases + picture -> candidate boxes (RunInference)
select_boxes        candidate boxes -> kept boxes; select_many: of many pairs at once
grounded_text       kept boxes -> hyperlink text, in a dialect of `dialects/`
compose_record      kept boxes -> a GRIT record

Nothing here knows of files, plans or runs; those are in `pipeline`.
"""
