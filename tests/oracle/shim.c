/*
 * shim.c - LD_PRELOAD shim that turns the installed knockd daemon into a deterministic replayer of
 * capture files: an oracle for tests.
 *
 * Written from the public interfaces of libc and libpcap only; it contains no code of knockd. Only a
 * C compiler and the headers of libc are needed: the few libpcap declarations are made here, the
 * library itself is the one knockd links to.
 *
 * Environment:
 *   KNOCKD_ORACLE_PCAP    capture file that replaces the live interface
 *   KNOCKD_ORACLE_IPS     comma list of IPv4/IPv6 addresses "of the interface"
 *   KNOCKD_ORACLE_SECONDS end the process with SIGALRM after so many seconds of real time
 *                         (default 0: never)
 *   KNOCKD_ORACLE_STATUS  exit status that every command "returns" (default 0; -1: system() itself
 *                         fails)
 *   KNOCKD_ORACLE_END     "exit" (default): stop silently at end of file, status 0
 *                         "term", "int": deliver that signal to the daemon
 *   KNOCKD_ORACLE_TIME    "packet": time() is the stamp of the current packet (default: real time;
 *                         matters for LogFile lines only)
 *   KNOCKD_ORACLE_SYSLOG  file that gets the syslog messages (default: dropped)
 *   KNOCKD_ORACLE_HOSTS   ADDR=NAME,ADDR=NAME,... answers for -l and for a Target that is a name;
 *                         anything else is "not found", so that no DNS query is ever sent
 *   KNOCKD_ORACLE_HUP     N,N,...: deliver SIGHUP just before the Nth frame of the capture is looked
 *                         at (1 = first; whether the filter will let it through does not matter)
 *   KNOCKD_ORACLE_HUP_MV  N:FROM:TO,N:FROM:TO,...: rename FROM to TO just before the SIGHUP at N, so
 *                         that another configuration is read; no name may contain ':' or ','
 *   KNOCKD_ORACLE_TRACE   file that gets one line per shim event (open, filter, packet, hup, child,
 *                         system, sleep, end)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- the part of libpcap's public interface that is needed ------------- */
typedef struct pcap pcap_t;
struct bpf_insn {
	unsigned short code;
	unsigned char jt, jf;
	unsigned int k;
};
struct bpf_program {
	unsigned int bf_len;
	struct bpf_insn *bf_insns;
};
struct pkthdr {                 /* layout of struct pcap_pkthdr */
	struct timeval ts;
	unsigned int caplen;
	unsigned int len;
};
typedef void (*pkt_handler)(unsigned char *, const struct pkthdr *,
                            const unsigned char *);
#define PCAP_ERRBUF 256

#define SLACK 512               /* zero bytes put after a captured packet */

static char iface[64] = "";     /* what the daemon asked pcap to open */
static pkt_handler daemon_cb;   /* the daemon's packet callback */
static time_t packet_time;      /* stamp of the packet being handled */
static struct bpf_program filter; /* a copy of what the daemon set; bf_insns NULL: none */
static long frames_read;        /* frames of the capture */
static int frame_passed;        /* whether the last one passed the filter */
static int in_child;            /* set in forked children */

static void start_alarm(void)
{
	const char *s = getenv("KNOCKD_ORACLE_SECONDS");

	if (s && *s)
		alarm((unsigned int)strtoul(s, NULL, 10));
}

/* Lines are written as they are printed, so that those before a crash are not lost with it. */
__attribute__((constructor)) static void start(void)
{
	const struct rlimit none = { 0, 0 };

	/* a crash of the daemon is a result, not something to look into */
	setrlimit(RLIMIT_CORE, &none);
	setvbuf(stdout, NULL, _IOLBF, 0);
	start_alarm();
}

static void *next_sym(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p) {
		fprintf(stderr, "oracle shim: no symbol %s\n", name);
		_exit(120);
	}
	return p;
}

static void trace(const char *fmt, ...)
{
	const char *file = getenv("KNOCKD_ORACLE_TRACE");
	char buf[8192];
	va_list ap;
	int fd, n, saved = errno;

	if (!file || !*file)
		return;
	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof buf - 1)
		n = sizeof buf - 1;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		if (write(fd, buf, n) < 0)
			(void)0;
		close(fd);
	}
	errno = saved;
}

/* ---- capture ------------------------------------------------------------ */

/* The file is read into memory first: a FILE on a real descriptor would share
 * its offset with the forked children, whose exit() moves that offset. */
static FILE *slurp(const char *path, char *errbuf)
{
	struct stat st;
	char *mem;
	size_t have = 0;
	ssize_t n;
	FILE *fp;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(errbuf, PCAP_ERRBUF, "%.180s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	mem = malloc((size_t)st.st_size + 1);
	while (mem && have < (size_t)st.st_size &&
	       (n = read(fd, mem + have, (size_t)st.st_size - have)) > 0)
		have += (size_t)n;
	close(fd);
	fp = mem ? fmemopen(mem, have ? have : 1, "r") : NULL;
	if (!fp) {
		snprintf(errbuf, PCAP_ERRBUF, "%.180s: cannot buffer", path);
		return NULL;
	}
	if (have == 0)
		fgetc(fp);
	return fp;
}

pcap_t *pcap_open_live(const char *dev, int snaplen, int promisc, int to_ms,
                       char *errbuf)
{
	pcap_t *(*open_file)(FILE *, char *) = next_sym("pcap_fopen_offline");
	const char *path = getenv("KNOCKD_ORACLE_PCAP");
	pcap_t *p;
	FILE *fp;

	(void)snaplen; (void)promisc; (void)to_ms;
	errbuf[0] = '\0';
	snprintf(iface, sizeof iface, "%s", dev ? dev : "");
	trace("open %s\n", iface);
	if (!path || !*path) {
		snprintf(errbuf, PCAP_ERRBUF, "KNOCKD_ORACLE_PCAP is not set");
		return NULL;
	}
	fp = slurp(path, errbuf);
	if (!fp)
		return NULL;
	p = open_file(fp, errbuf);
	if (!p)
		fclose(fp);
	return p;
}

int pcap_compile(pcap_t *p, struct bpf_program *prog, const char *expr,
                 int optimize, unsigned int netmask)
{
	int (*real)(pcap_t *, struct bpf_program *, const char *, int,
	            unsigned int) = next_sym("pcap_compile");
	int rc = real(p, prog, expr, optimize, netmask);

	trace("filter %d %s\n", rc, expr);
	return rc;
}

/* The filter is applied here and not inside libpcap (with the same function), so that frames can be
 * counted that it does not let through. */
int pcap_setfilter(pcap_t *p, struct bpf_program *prog)
{
	size_t size = prog->bf_len * sizeof *prog->bf_insns;
	struct bpf_insn *copy = malloc(size);

	(void)p;
	if (!copy)
		_exit(121);
	memcpy(copy, prog->bf_insns, size);
	free(filter.bf_insns);
	filter.bf_insns = copy;
	filter.bf_len = prog->bf_len;
	return 0;
}

static void wanted_renames(void)
{
	const char *s = getenv("KNOCKD_ORACLE_HUP_MV");
	char *copy = strdup(s ? s : ""), *rest = copy, *item;

	while ((item = strsep(&rest, ","))) {
		char *number = strsep(&item, ":"), *from = strsep(&item, ":"), *to = item;

		if (!to || strtol(number, NULL, 10) != frames_read + 1)
			continue;
		trace("rename %s %s\n", from, to);
		if (rename(from, to) < 0) {
			fprintf(stderr, "oracle shim: cannot rename %s: %s\n", from, strerror(errno));
			_exit(123);
		}
	}
	free(copy);
}

/* Delivers the SIGHUPs that are wanted before the next frame. */
static void wanted_hup(void)
{
	const char *s = getenv("KNOCKD_ORACLE_HUP");

	while (s && *s) {
		if (strtol(s, NULL, 10) == frames_read + 1) {
			wanted_renames();
			trace("hup %ld\n", frames_read + 1);
			raise(SIGHUP);
		}
		s = strchr(s, ',');
		if (s)
			s++;
	}
}

/* The daemon gets a copy of the packet with zeros after it: what it reads
 * past the captured bytes is then 0, not left-overs of an earlier packet. */
static void on_packet(unsigned char *user, const struct pkthdr *hdr, const unsigned char *data)
{
	static int (*passes)(const struct bpf_program *, const struct pkthdr *, const unsigned char *);
	static unsigned char *copy;
	static size_t size;

	frames_read++;
	if (!passes)
		passes = next_sym("pcap_offline_filter");
	frame_passed = !filter.bf_insns || passes(&filter, hdr, data);
	if (!frame_passed)
		return;
	if (size < (size_t)hdr->caplen + SLACK) {
		size = (size_t)hdr->caplen + SLACK;
		copy = realloc(copy, size);
		if (!copy)
			_exit(121);
	}
	memcpy(copy, data, hdr->caplen);
	memset(copy + hdr->caplen, 0, SLACK);
	packet_time = hdr->ts.tv_sec;
	trace("packet %ld %ld.%06ld %u/%u\n", frames_read, (long)hdr->ts.tv_sec,
	      (long)hdr->ts.tv_usec, hdr->caplen, hdr->len);
	daemon_cb(user, hdr, copy);
}

/* One packet per call, so that a filter set from within the callback (one-time sequences) counts for
 * the very next packet. */
int pcap_dispatch(pcap_t *p, int cnt, pkt_handler cb, unsigned char *user)
{
	int (*real)(pcap_t *, int, pkt_handler, unsigned char *) = next_sym("pcap_dispatch");
	const char *end;
	int n;

	(void)cnt;
	daemon_cb = cb;
	do {
		wanted_hup();
		frame_passed = 1;
		n = real(p, 1, on_packet, user);
	} while (n > 0 && !frame_passed);
	if (n != 0)
		return n;       /* a packet, or a read error: the daemon's affair */

	trace("end %ld\n", frames_read);
	fflush(NULL);
	end = getenv("KNOCKD_ORACLE_END");
	if (end && strcmp(end, "term") == 0)
		raise(SIGTERM);
	if (end && strcmp(end, "int") == 0)
		raise(SIGINT);
	exit(0);
}

/* ---- addresses ---------------------------------------------------------- */

int getifaddrs(struct ifaddrs **out)
{
	const char *list = getenv("KNOCKD_ORACLE_IPS");
	struct ifaddrs *head = NULL, **tail = &head;
	char *copy = strdup(list ? list : ""), *rest = copy, *word;

	trace("addresses %s\n", copy);
	while ((word = strsep(&rest, ", "))) {
		struct ifaddrs *ifa;
		struct sockaddr_in *v4;
		struct sockaddr_in6 *v6;

		if (!*word)
			continue;
		ifa = calloc(1, sizeof *ifa);
		v4 = calloc(1, sizeof *v4);
		v6 = calloc(1, sizeof *v6);
		if (inet_pton(AF_INET, word, &v4->sin_addr) == 1) {
			v4->sin_family = AF_INET;
			ifa->ifa_addr = (struct sockaddr *)v4;
			free(v6);
		} else if (inet_pton(AF_INET6, word, &v6->sin6_addr) == 1) {
			v6->sin6_family = AF_INET6;
			ifa->ifa_addr = (struct sockaddr *)v6;
			free(v4);
		} else {
			fprintf(stderr, "oracle shim: bad address %s\n", word);
			_exit(122);
		}
		ifa->ifa_name = strdup(iface);
		ifa->ifa_flags = IFF_UP | IFF_RUNNING;
		*tail = ifa;
		tail = &ifa->ifa_next;
	}
	free(copy);
	*out = head;
	return 0;
}

void freeifaddrs(struct ifaddrs *ifa)
{
	while (ifa) {
		struct ifaddrs *next = ifa->ifa_next;

		free(ifa->ifa_name);
		free(ifa->ifa_addr);
		free(ifa);
		ifa = next;
	}
}

struct hostent *gethostbyaddr(const void *addr, socklen_t len, int type)
{
	static struct hostent he;
	static char name[256];
	static char *none[1];
	char text[INET6_ADDRSTRLEN] = "";
	const char *s = getenv("KNOCKD_ORACLE_HOSTS");
	size_t n;

	(void)len;
	if (!inet_ntop(type, addr, text, sizeof text))
		return NULL;
	n = strlen(text);
	while (s && *s) {
		if (strncmp(s, text, n) == 0 && s[n] == '=') {
			snprintf(name, sizeof name, "%.*s",
			         (int)strcspn(s + n + 1, ","), s + n + 1);
			he.h_name = name;
			he.h_aliases = none;
			he.h_addrtype = type;
			he.h_addr_list = none;
			return &he;
		}
		s = strchr(s, ',');
		if (s)
			s++;
	}
	h_errno = HOST_NOT_FOUND;
	return NULL;
}

/* libpcap resolves host names in a filter: numbers and KNOCKD_ORACLE_HOSTS only. */
int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	            struct addrinfo **) = next_sym("getaddrinfo");
	const char *s = getenv("KNOCKD_ORACLE_HOSTS");
	unsigned char bin[sizeof(struct in6_addr)];

	if (!node || inet_pton(AF_INET, node, bin) == 1 ||
	    inet_pton(AF_INET6, node, bin) == 1 ||
	    (hints && (hints->ai_flags & AI_NUMERICHOST)))
		return real(node, service, hints, res);
	while (s && *s) {
		const char *eq = strchr(s, '=');
		size_t n = eq ? strcspn(eq + 1, ",") : 0;
		char text[INET6_ADDRSTRLEN + 1];

		if (eq && n == strlen(node) && strncmp(eq + 1, node, n) == 0 &&
		    eq - s < (ptrdiff_t)sizeof text) {
			snprintf(text, sizeof text, "%.*s", (int)(eq - s), s);
			return real(text, service, hints, res);
		}
		s = strchr(s, ',');
		if (s)
			s++;
	}
	return EAI_NONAME;
}

/* ---- processes ---------------------------------------------------------- */

/* A real fork, but the parent goes on only when the child is gone.  SIGCHLD is
 * held back meanwhile so that the daemon's own reaper cannot be first. */
pid_t fork(void)
{
	pid_t (*real)(void) = next_sym("fork");
	sigset_t chld, old;
	int status = 0;
	pid_t pid, got;

	fflush(NULL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &old);
	pid = real();
	if (pid == 0) {
		in_child = 1;
		/* an alarm is not inherited, and the parent waits for this child */
		start_alarm();
		sigprocmask(SIG_SETMASK, &old, NULL);
		return 0;
	}
	if (pid > 0) {
		do {
			got = waitpid(pid, &status, 0);
		} while (got < 0 && errno == EINTR);
		trace("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status)
		                                      : 128 + WTERMSIG(status));
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* Nothing is executed, ever. */
int system(const char *command)
{
	const char *s = getenv("KNOCKD_ORACLE_STATUS");
	long status = s && *s ? strtol(s, NULL, 10) : 0;

	trace("system%s %s\n", in_child ? "" : " (parent)", command);
	if (status < 0)
		return -1;
	return (int)((status & 0xff) << 8);
}

unsigned int sleep(unsigned int seconds)
{
	trace("sleep %u\n", seconds);
	return 0;
}

int daemon(int nochdir, int noclose)
{
	(void)nochdir; (void)noclose;
	trace("daemon\n");
	return 0;
}

/* ---- clock and syslog --------------------------------------------------- */

time_t time(time_t *out)
{
	const char *s = getenv("KNOCKD_ORACLE_TIME");
	struct timespec ts;
	time_t t;

	if (s && strcmp(s, "packet") == 0) {
		t = packet_time;
	} else {
		clock_gettime(CLOCK_REALTIME, &ts);
		t = ts.tv_sec;
	}
	if (out)
		*out = t;
	return t;
}

static void syslog_line(const char *fmt, va_list ap)
{
	const char *file = getenv("KNOCKD_ORACLE_SYSLOG");
	char buf[4096];
	int fd, n;

	if (!file || !*file)
		return;
	/* one message per record, closed by "<end>" so that a newline inside a
	 * message can be seen */
	n = vsnprintf(buf, sizeof buf - 8, fmt, ap);
	if (n < 0)
		return;
	if (n > (int)sizeof buf - 9)
		n = sizeof buf - 9;
	memcpy(buf + n, "<end>\n", 6);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		if (write(fd, buf, (size_t)n + 6) < 0)
			(void)0;
		close(fd);
	}
}

void openlog(const char *ident, int option, int facility)
{
	(void)ident; (void)option; (void)facility;
}

void syslog(int pri, const char *fmt, ...)
{
	va_list ap;

	(void)pri;
	va_start(ap, fmt);
	syslog_line(fmt, ap);
	va_end(ap);
}

void __syslog_chk(int pri, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)pri; (void)flag;
	va_start(ap, fmt);
	syslog_line(fmt, ap);
	va_end(ap);
}
