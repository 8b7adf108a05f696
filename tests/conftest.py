"""What all tests share: this folder is on the import path, so that a test can `import example_rooms`."""

from hypothesis import settings

# Property tests draw the same examples every time (Hypothesis' own profile for CI), so that only a change can turn one
# red. New ones, and more of them: pytest --hypothesis-profile=long (docs/decisions/0010-bounded-order.md).
settings.load_profile("ci")
settings.register_profile("long", settings.get_profile("ci"), derandomize=False, max_examples=2_000)
