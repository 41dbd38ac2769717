"""One run of the Autobahn testsuite against pairpin: Python 2.7, because the suite is.

    python2.7 wstest.py PACKAGES < SPECIFICATION

PACKAGES is the directory of what autobahn-requirements.txt pins. The specification is one line of JSON:
`mode` (list: prints the names of all cases; client: the suite dials a machine; server: devices dial the
suite), `cases`, `outdir`, and for a
client `port`, `flow` and `message`, for a server `key` and `certificate`. A server prints
`listening PORT`. The cases and their judgement are the suite's own and untouched; only the upgrade's
request is made what the protocol wants, and the case that a device asks for is read from it.
"""

import base64
import json
import site
import sys

site.addsitedir(sys.argv[1])

from autobahntestsuite import fuzzing  # noqa: E402
from twisted.internet import reactor, ssl  # noqa: E402

AGENT = "pairpin"


class Client(fuzzing.FuzzingClientProtocol):
    """Asks for the upgrade as a device does."""

    asked = False

    def sendData(self, data, *rest, **named):
        if not self.asked:
            self.asked = True
            lines = data.split("\r\n")
            host = [line for line in lines if line.startswith("Host: ")]
            assert len(host) == 1, data
            lines[lines.index(host[0])] = "Host: pairpin"
            data = "\r\n".join(lines)
        return fuzzing.FuzzingClientProtocol.sendData(self, data, *rest, **named)


def results_only(factory):
    """Reports for machines: the pages for people are most of the time."""
    create = factory.createReports
    factory.createReports = lambda: create(produceHtml=False)


class ClientFactory(fuzzing.FuzzingClientFactory):
    def setSessionParameters(self, *args, **named):
        if hasattr(self, "spec"):
            flow, message = str(self.spec["flow"]), str(self.spec["message"])
            named["headers"] = {"Pairpin-Flow": flow, "Pairpin-Message": message}
        fuzzing.FuzzingClientFactory.setSessionParameters(self, *args, **named)

    def buildProtocol(self, address):
        made = fuzzing.FuzzingClientFactory.buildProtocol(self, address)
        made.__class__ = Client
        return made


class Server(fuzzing.FuzzingServerProtocol):
    """A device says in its first message which case it wants; its path is always the same."""

    def onConnect(self, request):
        message = str(request.headers["pairpin-message"])
        wanted = json.loads(base64.urlsafe_b64decode(message + "=" * (-len(message) % 4)))
        request.path = str(wanted["path"])
        request.params = {"agent": [AGENT]}
        if "case" in wanted:
            request.params["casetuple"] = [str(wanted["case"])]
        fuzzing.FuzzingServerProtocol.onConnect(self, request)
        return request.protocols[0]


def main():
    spec = json.loads(sys.stdin.readline())
    if spec["mode"] == "list":
        cases = fuzzing.CaseSet("Case", "Case", fuzzing.Cases, fuzzing.CaseCategories, fuzzing.CaseSubCategories)
        print(json.dumps(cases.parseSpecCases({"cases": ["*"]})))
        return
    if spec["mode"] == "client":
        spec["servers"] = [
            {"agent": AGENT, "url": "wss://127.0.0.1:%d/rpc" % spec["port"], "protocols": ["pairpin.v1"]}
        ]
        results_only(ClientFactory(spec))
    else:
        # Port 443 in the URL: a device's Host has no port.
        spec.update({"url": "wss://pairpin:443", "protocols": ["pairpin.v1"]})
        factory = fuzzing.FuzzingServerFactory(spec)
        factory.protocol = Server
        results_only(factory)
        context = ssl.DefaultOpenSSLContextFactory(spec["key"], spec["certificate"])
        port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        print("listening %d" % port.getHost().port)
        sys.stdout.flush()
    reactor.run()


main()
