_base_ = ['./resnet3d_mini_dense.py']

# Recognizes all six words of a sentence of GRID; the label is the color.
model = dict(
    cls_head=dict(
        _delete_=True,
        type='TemporalAttentionHead',
        in_channels=128,
        num_classes=4,
        task='color',
        tasks=dict(
            command=4, color=4, preposition=4, letter=25, digit=10, adverb=4
        ),
        dropout_ratio=0.0,
        average_clips='prob',
    )
)
