# Temporal resolution and cost next to the accuracy, for recognizers with and
# without sampling. A config that inherits one of mmaction2's sets the
# evaluator by name, because a key may come from one base only:
#   val_evaluator = _base_.adaptive_evaluator
custom_imports = dict(imports=['mmatfr'], allow_failed_imports=False)
custom_hooks = [
    dict(type='NumClassesCheckHook'),
    dict(type='TemporalResolutionHook'),
]
adaptive_evaluator = [dict(type='AccMetric'), dict(type='AdaptiveCostMetric')]
