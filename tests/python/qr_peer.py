"""The QR reader zxing-cpp as a process: a frame of 1280 x 720 greys comes in on stdin, a line goes
out: the processor time of the read in nanoseconds, and the text as hex or a dash for none."""

import sys
import time

import zxingcpp

WIDTH, HEIGHT = 1280, 720

while True:
    frame = sys.stdin.buffer.read(WIDTH * HEIGHT)
    if len(frame) < WIDTH * HEIGHT:
        break
    picture = memoryview(frame).cast("B", shape=[HEIGHT, WIDTH])
    start = time.thread_time_ns()
    code = zxingcpp.read_barcode(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    spent = time.thread_time_ns() - start
    text = code.text.encode().hex() if code and code.text else "-"
    print(spent, text, flush=True)
