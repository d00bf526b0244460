/* What a device must set for itself; everything else is as lwIP comes. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define MEM_ALIGNMENT 8
#define MEM_SIZE 65536
#define MEMP_NUM_TCP_PCB 64
#define MEMP_NUM_TCP_SEG 128
#define PBUF_POOL_SIZE 64
#define TCP_MSS 1460
#define LWIP_RAND() ((u32_t)rand())
#include <stdlib.h>
