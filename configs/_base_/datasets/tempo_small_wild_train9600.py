# `tempo` small in the wild world, with four times as many training videos.
# Generate it with
#   python tools/data/tempo/generate.py --size small --world wild \
#     --train 9600 --out data/tempo/small-wild-train9600
_base_ = ['./tempo_small.py']

data_root = 'data/tempo/small-wild-train9600'
metainfo = dict(classes=f'{data_root}/classes.txt')
train_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
val_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
test_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
