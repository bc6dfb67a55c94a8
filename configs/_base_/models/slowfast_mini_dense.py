_base_ = ['./slowfast_mini.py']

# The stem of the fast pathway is spatial, too. With a kernel of five frames it
# was more than a quarter of the cost, none of which sampling behind it saves.
model = dict(backbone=dict(fast_pathway=dict(conv1_kernel=(1, 5, 5))))
