/* A device with lwIP and nothing else: ports 80 and 19 are open, and 19 talks; all others are closed. Takes an interface
   (which has no address of its own: a packet socket is opened on it), an address and a mask. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lwip/init.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

static int wire;

u32_t sys_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static err_t send_frame(struct netif *netif, struct pbuf *p) {
    static unsigned char frame[2048];
    u16_t length = pbuf_copy_partial(p, frame, sizeof frame, 0);
    if (length < 60) {
        memset(frame + length, 0, 60 - length);
        length = 60;
    }
    (void)netif;
    return write(wire, frame, length) == length ? ERR_OK : ERR_IF;
}

static err_t start_interface(struct netif *netif) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, netif->state, sizeof request.ifr_name - 1);
    if (ioctl(wire, SIOCGIFHWADDR, &request) != 0) return ERR_IF;
    netif->name[0] = 'e';
    netif->name[1] = '0';
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, request.ifr_hwaddr.sa_data, 6);
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
    (void)arg;
    (void)err;
    if (p == NULL) return tcp_close(pcb);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err) {
    static const char words[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    (void)err;
    tcp_recv(pcb, received);
    if (arg != NULL) tcp_write(pcb, words, sizeof words - 1, 0);
    return ERR_OK;
}

static void listen_on(u16_t port, void *talks) {
    struct tcp_pcb *pcb = tcp_new();
    tcp_bind(pcb, IP_ADDR_ANY, port);
    pcb = tcp_listen(pcb);
    tcp_arg(pcb, talks);
    tcp_accept(pcb, accepted);
}

int main(int argc, char **argv) {
    struct netif netif;
    ip4_addr_t ip, mask, gateway;
    struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    if (argc != 4) return 2;
    wire = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    where.sll_ifindex = (int)if_nametoindex(argv[1]);
    if (wire < 0 || bind(wire, (struct sockaddr *)&where, sizeof where) != 0) return 1;
    lwip_init();
    ip4addr_aton(argv[2], &ip);
    ip4addr_aton(argv[3], &mask);
    ip4_addr_set_zero(&gateway);
    netif_add(&netif, &ip, &mask, &gateway, argv[1], start_interface, netif_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    listen_on(80, NULL);
    listen_on(19, &wire);
    for (;;) {
        static unsigned char frame[65536];
        struct sockaddr_ll from;
        socklen_t size = sizeof from;
        struct pollfd pollfd = {.fd = wire, .events = POLLIN};
        poll(&pollfd, 1, 10);
        ssize_t length;
        while ((length = recvfrom(wire, frame, sizeof frame, MSG_DONTWAIT, (struct sockaddr *)&from, &size)) > 0) {
            static const unsigned char group = 1;
            if (from.sll_pkttype == PACKET_OUTGOING || length > 1514) continue;
            /* What a network card lets through: its own address and groups. */
            if (memcmp(frame, netif.hwaddr, 6) != 0 && (frame[0] & group) == 0) continue;
            struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_POOL);
            if (p == NULL) continue;
            pbuf_take(p, frame, (u16_t)length);
            if (netif.input(p, &netif) != ERR_OK) pbuf_free(p);
        }
        sys_check_timeouts();
    }
}
