"""The face network sees each picture by itself, and its mirror image."""

import torch

from moodal.train.backbones.face import FaceNetwork, augmented


def network():
    torch.manual_seed(0)
    return FaceNetwork(width=4).eval()


def test_padding_and_company_change_nothing():
    net, faces = network(), torch.rand(2, 3, 2304)
    lengths = torch.tensor([3, 1])
    states, out = net(faces, lengths)
    assert out.tolist() == [3, 1]
    assert states[1, 1:].abs().max() == 0
    faces[1, 1:] = 0.5
    torch.testing.assert_close(net(faces, lengths)[0], states)
    alone, _ = net(faces[1:, :1], torch.tensor([1]))
    torch.testing.assert_close(alone[0, 0], states[1, 0])


def test_nobody_there():
    states, _ = network()(torch.rand(2, 1, 2304), torch.tensor([0, 0]))
    assert states.abs().max() == 0


def test_a_mirrored_face_is_the_same_face():
    net, faces = network(), torch.rand(1, 1, 2304)
    mirrored = faces.reshape(1, 1, 48, 48).flip(3).reshape(1, 1, 2304)
    one = torch.tensor([1])
    torch.testing.assert_close(net(faces, one)[0], net(mirrored, one)[0], atol=1e-5, rtol=1e-4)


def test_light_is_evened_out():
    # all but for the small constant that keeps a blank picture finite
    net, faces = network(), torch.rand(1, 1, 2304)
    one = torch.tensor([1])
    torch.testing.assert_close(
        net(faces, one)[0], net(faces * 0.5 + 0.2, one)[0], atol=0.05, rtol=0.2
    )
    assert torch.isfinite(net(torch.zeros(1, 1, 2304), one)[0]).all()


def test_disturbances_are_drawn_from_the_seed():
    pictures = torch.rand(8, 1, 48, 48)
    torch.manual_seed(3)
    first = augmented(pictures)
    torch.manual_seed(3)
    assert torch.equal(augmented(pictures), first)
    assert first.shape == pictures.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.equal(augmented(pictures), first)
