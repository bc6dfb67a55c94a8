# One epoch, to check the installation. Generate the videos with
#   python tools/data/tempo/generate.py --size tiny --out data/tempo/tiny
_base_ = ['./resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py']

tiny = dict(
    data_root='data/tempo/tiny',
    metainfo=dict(classes='data/tempo/tiny/classes.txt'),
)
train_dataloader = dict(dataset=tiny)
val_dataloader = dict(dataset=tiny)
test_dataloader = dict(dataset=tiny)

load_from = None
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(eta_max=2e-3, total_steps=1)
