# `tempo` small in the wild world for networks of 2D modules, with the frames
# of a clip as images.
_base_ = ['./tempo_small_frames.py']

data_root = 'data/tempo/small-wild'
metainfo = dict(classes=f'{data_root}/classes.txt')
train_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
val_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
test_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
