// Kamailio as the SIP server of a test: registrar and record-routing proxy without a database, optionally with digest
// authentication of REGISTER and INVITE. The password of account 2001 is pw-2001.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports';
import { Program, scratchFolder } from './program';

export interface KamailioOptions {
  authentication?: boolean;
  port?: number; // the next one is for TLS; 0: any
  certificate?: string; // PEM file with its key, for TLS
  contactsMax?: number; // of one account; a call rings at all of them. 1 without
}

export class Kamailio {
  private constructor(
    readonly program: Program,
    readonly port: number,
    private readonly options: KamailioOptions,
  ) {}

  static passwordOf(account: string): string {
    return `pw-${account}`;
  }

  /** host:port, as accounts and configurations name it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get tlsPort(): number {
    return this.port + 1;
  }

  static async start(options: KamailioOptions = {}): Promise<Kamailio> {
    const port = options.port ?? (await freePorts(2));
    const folder = scratchFolder('kamailio');
    const file = join(folder, 'kamailio.cfg');
    writeFileSync(file, configuration(port, options));
    const program = new Program('kamailio', '/usr/sbin/kamailio', ['-DD', '-E', '-m', '64', '-M', '8', '-Y', folder, '-f', file]);
    const kamailio = new Kamailio(program, port, options);
    await program.waitForOutput(/crosspoint-ready/);
    return kamailio;
  }

  /** A new process at the same place, which knows nobody. This one has ended. */
  again(): Promise<Kamailio> {
    return Kamailio.start({ ...this.options, port: this.port });
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}

const kChallengeRegister = `
        if (!pv_www_authenticate("crosspoint.test", "pw-$au", "0")) { www_challenge("crosspoint.test", "1"); exit; }
        if ($au != $tU) { sl_send_reply("403", "Not your number"); exit; }
        consume_credentials();`;

const kChallengeInvite = `
    if (is_method("INVITE")) {
        if (!pv_proxy_authenticate("crosspoint.test", "pw-$au", "0")) { proxy_challenge("crosspoint.test", "1"); exit; }
        consume_credentials();
    }`;

function tlsLines(port: number, certificate: string): string {
  return `enable_tls=yes
listen=tls:127.0.0.1:${port}
loadmodule "tls.so"
modparam("tls", "certificate", "${certificate}")
modparam("tls", "private_key", "${certificate}")
modparam("tls", "tls_method", "TLSv1.2")`; // its 1.3 finds no signature algorithm with OpenSSL 3
}

function configuration(port: number, { authentication = false, certificate, contactsMax = 1 }: KamailioOptions): string {
  return `#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${certificate ? tlsLines(port + 1, certificate) : ''}
alias="127.0.0.1:${port}"
alias="crosspoint.test"
${['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'usrloc', 'registrar', 'auth', 'xlog'].map((m) => `loadmodule "${m}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "default_expires", 300)
modparam("registrar", "max_contacts", ${contactsMax})
modparam("rr", "enable_full_lr", 1)
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", 60000)

event_route[core:worker-one-init] { xlog("L_ALERT", "crosspoint-ready\\n"); }

request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (has_totag()) {
        if (loose_route()) { route(RELAY); exit; }
        if (is_method("ACK")) { if (t_check_trans()) route(RELAY); exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
    if (is_method("CANCEL")) { if (t_check_trans()) route(RELAY); exit; }
    t_check_trans();
    remove_hf("Route");
    if (is_method("INVITE|SUBSCRIBE")) record_route();
    if (is_method("REGISTER")) {
        ${authentication ? kChallengeRegister : ''}
        if (!save("location")) sl_reply_error();
        exit;
    }
    ${authentication ? kChallengeInvite : ''}
    if (is_method("INVITE")) xlog("L_ALERT", "INVITE from $fU to $rU\\n");
    if (is_method("OPTIONS") && uri == myself) { sl_send_reply("200", "OK"); exit; }
    if (uri == myself && !lookup("location")) { sl_send_reply("404", "Not registered"); exit; }
    route(RELAY);
}

route[RELAY] { if (!t_relay()) sl_reply_error(); exit; }
`;
}
