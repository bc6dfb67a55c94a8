# For fine-tuning: ours, not published, without warm-up. A key may come from
# one base only, so a config that inherits a recipe sets it by name:
#   param_scheduler = _base_.cosine_30e
cosine_30e = [
    dict(
        type='CosineAnnealingLR',
        T_max=30,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
