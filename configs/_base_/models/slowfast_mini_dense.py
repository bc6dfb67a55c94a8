_base_ = ['./slowfast_mini.py']

# The stem of the fast pathway is spatial too. With a kernel of five frames it
# would be more than a quarter of the cost, which sampling after it cannot
# save.
model = dict(backbone=dict(fast_pathway=dict(conv1_kernel=(1, 5, 5))))
