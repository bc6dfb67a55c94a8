from .sgs_neck import SGSNeck

__all__ = ['SGSNeck']
