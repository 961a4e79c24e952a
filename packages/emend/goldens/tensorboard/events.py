"""Makes events.base64: the events file that TensorBoard's own writer makes of the rows in tensorboard.test.ts.

    pip install tensorboard && python events.py > events.base64
"""
import base64
import io

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

ROWS = [
    (0, [("lr", 1e-05), ("objective/kl", 0.25)]),
    (300, [("loss/valeur_é", -1.5), ("a" * 200, 3e38)]),
    (2**40, [("episode", 805)]),
]

file = io.BytesIO()
writer = RecordWriter(file)
writer.write(Event(wall_time=1.5, file_version="brain.Event:2").SerializeToString())
for step, metrics in ROWS:
    values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics]
    writer.write(Event(wall_time=1.5, step=step, summary=Summary(value=values)).SerializeToString())
print(base64.b64encode(file.getvalue()).decode())
