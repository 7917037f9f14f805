#!/usr/bin/env python3
"""Writes the access units of an MP4 file, as ffmpeg made it, in the plain form that AccessUnitFile.swift reads.

usage: make_units.py IN.mp4 OUT.units
"""
import json
import struct
import subprocess
import sys

VIDEO = {"h264": (1, b"avcC"), "hevc": (2, b"hvcC"), "av1": (3, b"av1C"), "vp9": (4, b"vpcC")}
AUDIO = {"aac": 1, "mp3": 2, "opus": 3, "ac3": 4, "eac3": 5, "flac": 6}


def box(data, name):
    at = data.index(name)
    return data[at + 4 : at - 4 + struct.unpack(">I", data[at - 4 : at])[0]]


def extradata(stream):
    # A dump such as "\n00000000: 1210 56e5 00                             ..V..\n".
    dump = stream.get("extradata", "")
    return b"".join(bytes.fromhex(line[10:49].replace(" ", "")) for line in dump.splitlines() if line)


def main(source, target):
    data = open(source, "rb").read()
    probe = ["ffprobe", "-v", "error", "-show_streams", "-show_packets", "-show_data", "-of", "json"]
    shown = json.loads(subprocess.check_output(probe + [source]))
    video, audio, ticks = (0, b""), (0, b""), {}
    for stream in shown["streams"]:
        ticks[stream["index"]] = int(stream["time_base"].split("/")[1])
        if stream["codec_type"] == "video":
            number, name = VIDEO[stream["codec_name"]]
            video = (number, box(data, name))
        else:
            number = AUDIO[stream["codec_name"]]
            audio = (number, b"" if number in (2, 4, 5) else extradata(stream))
    packets = sorted(shown["packets"], key=lambda packet: int(packet["pos"]))
    first = min(int(p["dts"]) * 10**9 // ticks[p["stream_index"]] for p in packets)
    with open(target, "wb") as out:
        for number, record in (video, audio):
            out.write(struct.pack(">BI", number, len(record)) + record)
        for p in packets:
            scale = ticks[p["stream_index"]]
            dts, pts = (round(int(p[key]) * 10**9 / scale) for key in ("dts", "pts"))
            size, at = int(p["size"]), int(p["pos"])
            # The timeline starts at one second.
            head = (p["codec_type"] == "video", "K" in p["flags"], dts - first + 10**9, pts - dts, size)
            out.write(struct.pack(">??qqI", *head) + data[at : at + size])


main(*sys.argv[1:])
