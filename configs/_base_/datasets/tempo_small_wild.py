# `tempo` small in the wild world, where the camera and other objects move too.
# Generate it with
#   python tools/data/tempo/generate.py --size small --world wild
_base_ = ['./tempo_small.py']

data_root = 'data/tempo/small-wild'
metainfo = dict(classes=f'{data_root}/classes.txt')
train_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
val_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
test_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
