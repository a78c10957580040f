// Real sockets: what a hostile or dead other end does to a listening broker.
import { once } from "node:events";
import { connect, type Socket as TcpSocket } from "node:net";
import { onTestFinished, expect, test } from "vitest";
import WebSocket from "ws";
