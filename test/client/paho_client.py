"""One scenario with the Eclipse Paho client, as a back end written in Python would use it.

Called with: tcp|websockets, 3|4|5 (the protocol version), the port, the scenario. Writes a line for each thing seen.
"""

import socket
import sys
import threading
import warnings

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

TRANSPORT, VERSION, PORT, SCENARIO = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
FIVE = VERSION == mqtt.MQTTv5
WAIT_SECONDS = 10
COUNT = 5

# Version 2 of the package has other callbacks too, and a word to say about those of version 1, which both have.
CALLBACKS = [mqtt.CallbackAPIVersion.VERSION1] if hasattr(mqtt, "CallbackAPIVersion") else []
warnings.simplefilter("ignore", DeprecationWarning)


class Peer:
    """A client with its network loop in a thread, and events to wait for."""

    def __init__(self, client_id, lasting=False):
        clean = {} if FIVE else {"clean_session": not lasting}
        self.lasting = lasting
        self.messages = []
        self.changed = threading.Condition()
        self.state = {}
        self.client = mqtt.Client(*CALLBACKS, client_id=client_id, transport=TRANSPORT, protocol=VERSION, **clean)
        if TRANSPORT == "websockets":
            self.client.ws_set_options(path="/mqtt")
        self.client.on_connect = lambda c, u, flags, reason, told=None: self.note(
            "connected", (flags["session present"], told)
        )
        self.client.on_disconnect = self.on_disconnect
        self.client.on_subscribe = lambda c, u, mid, granted, told=None: self.note(
            "subscribed", [str(each) for each in granted]
        )
        self.client.on_publish = lambda c, u, mid: self.note(("published", mid), None)
        self.client.on_message = self.on_message

    def on_message(self, client, userdata, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def on_disconnect(self, client, userdata, reason, told=None):
        # Or it would wait and connect again by itself.
        client.disconnect()
        self.note("disconnected", None)

    def note(self, what, value):
        with self.changed:
            self.state[what] = value
            self.changed.notify_all()

    def wait(self, what):
        with self.changed:
            if not self.changed.wait_for(lambda: what in self.state, WAIT_SECONDS):
                sys.exit(f"waited in vain for {what}; there is {self.state}")
            return self.state.pop(what)

    def connect(self):
        arguments = {}
        if FIVE:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 60 if self.lasting else 0
            arguments = {"clean_start": not self.lasting, "properties": properties}
        self.client.connect("127.0.0.1", PORT, **arguments)
        self.client.loop_start()
        return self.wait("connected")

    def subscribe(self, topic, qos):
        if FIVE:
            self.client.subscribe(topic, options=SubscribeOptions(qos=qos))
        else:
            self.client.subscribe(topic, qos)
        return self.wait("subscribed")

    def publish(self, topic, payload, qos, **more):
        info = self.client.publish(topic, payload, qos, **more)
        info.wait_for_publish(WAIT_SECONDS)
        self.wait(("published", info.mid))

    def receive(self, count):
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.messages) >= count, WAIT_SECONDS):
                sys.exit(f"waited in vain for {count} messages; there are {len(self.messages)}")
            taken, self.messages = self.messages[:count], self.messages[count:]
            return taken

    def disconnect(self):
        self.client.disconnect()
        self.wait("disconnected")
        self.client.loop_stop()

    def vanish(self):
        """Breaks the connection without DISCONNECT."""
        carrier = self.client.socket()
        getattr(carrier, "_socket", carrier).shutdown(socket.SHUT_RDWR)
        self.wait("disconnected")
        self.client.loop_stop()


def describe(message):
    return f"{message.topic} {message.payload.decode()} qos={message.qos} retain={int(message.retain)}"


def levels():
    """Everything at each QoS, sent and received by one client, and each message once."""
    peer = Peer("levels")
    present, _ = peer.connect()
    print(f"connected present={int(present)}")
    print("subscribed", *peer.subscribe("levels/#", 2))
    for qos in (0, 1, 2):
        for number in range(COUNT):
            peer.publish(f"levels/{qos}", str(number), qos)
    for qos in (0, 1, 2):
        got = [describe(message) for message in peer.receive(COUNT)]
        assert got == [f"levels/{qos} {number} qos={qos} retain=0" for number in range(COUNT)], got
        print(f"received {COUNT} at {qos}")
    peer.disconnect()
    assert peer.messages == []


def session():
    """A session that waits, and a session that is broken off in the middle."""
    peer = Peer("waiting", lasting=True)
    peer.connect()
    peer.subscribe("session", 2)
    peer.disconnect()
    other = Peer("other")
    other.connect()
    for number in range(10):
        other.publish("session", str(number), 1)
    present, _ = peer.connect()
    print(f"back present={int(present)}")
    print("received", *[message.payload.decode() for message in peer.receive(10)])
    # The second one goes out behind the acknowledgements of what was received.
    for _ in range(2):
        peer.publish("elsewhere", "", 1)
    peer.vanish()
    for number in range(10, 20):
        other.publish("session", str(number), 2)
    again = Peer("waiting", lasting=True)
    present, _ = again.connect()
    print(f"again present={int(present)}")
    print("received", *[message.payload.decode() for message in again.receive(10)])
    again.disconnect()
    other.disconnect()


def state():
    """Retained messages and wills."""
    watcher = Peer("watcher")
    watcher.connect()
    watcher.publish("state/retained", "kept", 1, retain=True)
    watcher.subscribe("state/#", 1)
    print("first", *[describe(message) for message in watcher.receive(1)])
    mortal = Peer("mortal")
    mortal.client.will_set("state/will", "gone", 1, retain=True)
    mortal.connect()
    mortal.vanish()
    print("then", *[describe(message) for message in watcher.receive(1)])
    watcher.disconnect()


def properties():
    """What only version 5 has."""
    peer = Peer("properties")
    _, told = peer.connect()
    print(f"announced receive-maximum={told.ReceiveMaximum} topic-alias-maximum={told.TopicAliasMaximum}")
    peer.subscribe("properties", 1)
    sent = Properties(PacketTypes.PUBLISH)
    sent.ContentType = "text/plain"
    sent.ResponseTopic = "answers"
    sent.CorrelationData = b"\x00\xff"
    sent.MessageExpiryInterval = 60
    sent.TopicAlias = 3
    sent.UserProperty = [("a", "1"), ("a", "2")]
    peer.publish("properties", "x", 1, properties=sent)
    (message,) = peer.receive(1)
    got = message.properties
    print(got.ContentType, got.ResponseTopic, got.CorrelationData.hex(), got.MessageExpiryInterval, got.UserProperty)
    peer.disconnect()


def rush():
    """As much as the client can send, all at once, at QoS 2."""
    peer = Peer("rush")
    peer.client.max_inflight_messages_set(100)
    peer.connect()
    peer.subscribe("rush", 2)
    for number in range(500):
        peer.client.publish("rush", str(number), 2)
    got = [int(message.payload) for message in peer.receive(500)]
    print("in order" if got == list(range(500)) else f"out of order: {got}")
    peer.disconnect()


{"levels": levels, "session": session, "state": state, "properties": properties, "rush": rush}[SCENARIO]()
