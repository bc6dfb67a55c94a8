_base_ = ['mmaction::_base_/models/x3d.py']

# A third of the width and half of the depth of X3D-S; trains on a CPU in
# minutes.
model = dict(
    backbone=dict(gamma_w=0.34, gamma_b=2.0, gamma_d=1.0),
    cls_head=dict(in_channels=128, num_classes=12, dropout_ratio=0.0),
)
