# Python: json.dumps signed compact, sent as the body itself with the spaces that dumps puts in by default: not the text
# that was signed.
import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request


def call(**fields):
    request = {"command": fields.pop("command"), "api_key": os.environ["API_KEY"], "timestamp": int(time.time()),
               "cdn": int(os.environ["CDN"]), **fields}
    text = json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode()
    code = hmac.new(os.environ["PRIVATE_KEY"].encode(), text, hashlib.sha256).digest()
    request["signature"] = base64.b64encode(code).decode()
    body = json.dumps(request).encode()
    post = urllib.request.Request(os.environ["URL"], body, {"Content-Type": "application/json"})
    return urllib.request.urlopen(post).read().decode()


name = os.environ["NAME"]
videos = [{"path": "sestore4/demo/é", "tags": ["a/b", "ü", None, True, 1.5]}, []]
print(call(command="pushpublish.add", service_name="rtmp", name=name,
           url="rtmp://203.0.113.9/live/a/key-python", videos=videos))
print(call(command="pushpublish.services", filters={"name": name}))
