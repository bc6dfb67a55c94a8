"""A whole video as consecutive clips, with the times of frames."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmatfr.apis import frame_times, iter_clips, load_config, read_clips
from mmatfr.datasets.tempo import Tempo, VideoFormat, write_tempo
from mmatfr.zoo.models import config_path

NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
TSM = 'tsm_imagenet-pretrained-r50-atfr_8xb16-1x1x8-50e_kinetics400-rgb'
FRAMES, RATE = 75, 20


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips') / 'data'
    size = Tempo(1, 1, 1, video=VideoFormat(frames=FRAMES, fps=RATE))
    for _ in write_tempo(folder, size):
        pass
    return str(folder / 'videos/test/00000.mp4')


def test_clips_cover_the_video(video):
    cfg = load_config(config_path(NAME))
    clips = list(iter_clips(cfg, video))
    times = [frame_times(clip['data_samples'], 16) for clip in clips]
    starts = np.concatenate(times)[:, 0] * RATE
    # 16 frames, every other one; the last clip ends with the video.
    assert starts.tolist() == pytest.approx([0, 32, FRAMES - 32])
    assert all(clip['inputs'].shape == (1, 3, 16, 56, 56) for clip in clips)
    for _clip, own in zip(clips, times, strict=True):
        steps = np.diff(own[0] * RATE)
        assert steps == pytest.approx(2)
    assert not (clips[0]['inputs'] == clips[1]['inputs']).all()


@pytest.mark.parametrize('crop', ['ThreeCrop', 'TenCrop'])
def test_of_several_crops_the_centre_is_taken(video, crop):
    clips = []
    for kind in ('CenterCrop', crop):
        cfg = load_config(config_path(NAME))
        pipeline = cfg.test_dataloader.dataset.pipeline
        kinds = [step['type'] for step in pipeline]
        place = kinds.index('FormatShape')
        pipeline.insert(place, dict(type=kind, crop_size=56))
        clips.append(next(iter_clips(cfg, video))['inputs'])
    centre, several = clips
    assert several.shape == (1, 3, 16, 56, 56)
    assert several.equal(centre)


def test_a_short_video_goes_on_anew(video):
    cfg = load_config(config_path(NAME))
    sampler = cfg.test_dataloader.dataset.pipeline[1]
    sampler.frame_interval = 8
    (clip,) = iter_clips(cfg, video)
    (times,) = frame_times(clip['data_samples'], 16)
    assert (times * RATE).round().tolist() == [
        8 * i % FRAMES for i in range(16)
    ]


def frames_in(clip):
    """The frames of a clip as they are in the video."""
    return (frame_times(clip['data_samples'], 16)[0] * RATE).round().tolist()


@TRANSFORMS.register_module()
class ReadOnDecode(BaseTransform):
    """Reads on from the last frame that was read, as PyAVDecode does."""

    def transform(self, results):
        video, places = results['video_reader'], results['frame_inds']
        video_frames = [
            video.next().asnumpy()
            for _ in range(min(max(places) + 1, len(video)))
        ]
        results['imgs'] = [video_frames[place] for place in places]
        results['original_shape'] = results['img_shape'] = (56, 56)
        return results


def test_clips_do_not_depend_on_those_before(video):
    """Also with decoders that do not seek."""
    cfg = load_config(config_path(NAME))
    expected = list(iter_clips(cfg, video))
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert pipeline[2].type == 'DecordDecode'
    pipeline[2] = dict(type='ReadOnDecode')
    for clip, other in zip(iter_clips(cfg, video), expected, strict=True):
        assert clip['inputs'].equal(other['inputs'])


@pytest.mark.parametrize('target', [10, 6, 40])
def test_clips_have_the_frame_rate_of_the_pipeline(target, video):
    cfg = load_config(config_path(NAME))
    sampler = cfg.test_dataloader.dataset.pipeline[1]
    sampler.update(frame_interval=1, target_fps=target)
    clips = list(iter_clips(cfg, video))
    expected = np.array(frames_in(read_clips(cfg, video)))
    for clip in clips:
        frames = np.array(frames_in(clip))
        assert (frames - frames[0] == expected - expected[0]).all()
    span = 16 * RATE / target
    count = max(1, int(np.ceil((FRAMES - span) / span - 1e-9)) + 1)
    assert len(clips) == count
    assert frames_in(clips[0])[0] == 0
    assert FRAMES - 3 <= frames_in(clips[-1])[-1] < FRAMES


def test_a_short_video_may_end_with_its_last_frame(video):
    cfg = load_config(config_path(NAME))
    sampler = cfg.test_dataloader.dataset.pipeline[1]
    sampler.update(frame_interval=8, out_of_bound_opt='repeat_last')
    (clip,) = iter_clips(cfg, video)
    assert frames_in(clip) == frames_in(read_clips(cfg, video))
    assert frames_in(clip)[-1] == 72


def test_clips_over_the_whole_video_stay_what_they_are(video):
    cfg = load_config(config_path(TSM))
    (clip,) = iter_clips(cfg, video)
    expected = read_clips(cfg, video)
    assert (clip['inputs'] == expected['inputs']).all()
    times = frame_times(clip['data_samples'], 8)
    assert (np.diff(times) > 0.3).all()


def test_video_that_does_not_exist():
    cfg = load_config(config_path(NAME))
    with pytest.raises(FileNotFoundError, match='gone.mp4'):
        next(iter_clips(cfg, 'gone.mp4'))


@pytest.mark.parametrize('name', [NAME, TSM])
@pytest.mark.parametrize(
    'read', [read_clips, lambda cfg, video: next(iter_clips(cfg, video))]
)
def test_pipelines_of_frames_in_folders_do_not_read_videos(read, name, video):
    cfg = load_config(config_path(name))
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[0:3] = [pipeline[1], dict(type='RawFrameDecode')]
    with pytest.raises(ValueError, match='no step opens video files; use'):
        read(cfg, video)
