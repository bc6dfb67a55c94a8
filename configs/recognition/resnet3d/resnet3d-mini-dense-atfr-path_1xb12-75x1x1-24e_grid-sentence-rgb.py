_base_ = [
    '../../_base_/models/resnet3d_mini_dense_words.py',
    '../../_base_/datasets/grid_sentence_75x1.py',
    '../../_base_/schedules/tempo_finetune_24e.py',
]

model = dict(
    backbone=dict(
        type='ATFRResNet3d',
        readout='frames',
        sgs=dict(preset='path', stage=0, num_bins=40),
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-75x1x1-36e_grid-sentence-rgb/'
    'epoch_36.pth'
)
