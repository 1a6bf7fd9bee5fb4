// The namespace `Grtc`: what a page sees (guide, "Grtc").

import { Client as BaseClient } from './client.js';
import type { ClientConfiguration } from './configuration.js';
import { browserPlatform } from './platform/browser.js';

export {
  CONFIGURATION_ERROR,
  CONNECTION_ERROR,
  GRTC_ERROR,
  GRTC_WARN,
  GrtcError as Error,
  INVALID_STATE_ERROR,
  NOT_READY_ERROR,
  WEBRTC_ERROR,
  WEBRTC_NOT_SUPPORTED_ERROR,
  type ErrorName,
} from './errors.js';
export {
  LOG_LEVEL_DEBUG,
  LOG_LEVEL_ERROR,
  LOG_LEVEL_INFO,
  LOG_LEVEL_NONE,
  LOG_LEVEL_NOTICE,
  type LogLevel,
} from './log.js';
export { MediaSession } from './mediasession.js';
export type { AttachedPair, InfoData } from './attached.js';
export type { ClientEventMap, FailureDetails, GatewayErrorInfo } from './clientevents.js';
export type { ClientConfiguration, Configuration } from './configuration.js';
export type { LegacyConstraints, MediaConstraint, SourceConstraint } from './constraints.js';
export type { DtmfOptions } from './dtmf.js';
export type { EventHook, Handler } from './events.js';
export type { Candidate } from './sdp.js';
export type { TransferInfo, TransferState } from './transfer.js';
export type { MediaStats, ProgressInfo, ServerStats, StreamStats } from './wire.js';

/** A page's connection to the gateway. */
export class Client extends BaseClient {
  constructor(configuration: ClientConfiguration) {
    super(configuration, browserPlatform);
  }
}

/** The browser's name: "chrome", "firefox", "safari", or what says that it is none of them. */
export function getWebrtcDetectedBrowser(): string {
  return browserPlatform.browserName();
}

/** The browser's major version. */
export function getWebrtcDetectedVersion(): string {
  return browserPlatform.browserVersion();
}

/** Whether calls are possible in this browser and on this page. */
export function isWebrtcSupported(): boolean {
  return browserPlatform.isWebrtcSupported();
}

/** The same: the guide's example spells it so. */
export const isWebRTCSupported = isWebrtcSupported;
