//! From the entry that a hypervisor calls (PVH: 32 bits, no paging, EBX = start_info) to Rust in long mode.
//!
//! The tables made here map the first gigabyte without any protection, for the few instructions until
//! [`paging`](crate::paging) has made the real ones.

use core::arch::global_asm;

global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18            /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long _pvh_start

    .section .boot.text, "ax", @progbits
    .code32
    .globl _pvh_start
_pvh_start:
    cli
    cld
    mov esi, ebx
    lea edi, [__bss_start]
    lea ecx, [__bss_end]
    sub ecx, edi
    shr ecx, 2
    xor eax, eax
    rep stosd
    /* a level of each kind: 512 pages of 2 MiB */
    lea edi, [__boot_tables]
    mov ecx, 3*1024
    rep stosd
    lea edi, [__boot_tables]
    lea eax, [edi + 0x1003]
    mov [edi], eax
    lea eax, [edi + 0x2003]
    mov [edi + 0x1000], eax
    lea edx, [edi + 0x2000]
    mov eax, 0x83
    mov ecx, 512
2:  mov [edx], eax
    add eax, 0x200000
    add edx, 8
    dec ecx
    jnz 2b
    mov cr3, edi
    mov eax, cr4
    or eax, (1<<5)|(1<<9)|(1<<10)      /* PAE, OSFXSR, OSXMMEXCPT; without OSXSAVE nobody uses AVX */
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, (1<<8)|(1<<11)             /* LME, NXE */
    wrmsr
    mov eax, cr0
    and eax, ~((1<<2)|(1<<3)|(1<<30)|(1<<29))
    or eax, (1<<31)|(1<<16)|(1<<1)|1   /* PG, WP, MP, PE */
    mov cr0, eax
    lgdt [__gdt_pointer]
    lea esp, [__stack_top]
    push 0x08
    lea eax, [_start64]
    push eax
    retf

    .code64
_start64:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    lea rsp, [rip + __stack_top]
    mov edi, esi
    xor ebp, ebp
    call {main}
    ud2

    .section .data.gdt, "aw", @progbits
    .align 16
    .globl __gdt
__gdt:
    .quad 0
    .quad 0x00af9b000000ffff           /* 0x08: code, 64 bits */
    .quad 0x00cf93000000ffff           /* 0x10: data */
    .quad 0                            /* 0x18: task state, filled in later */
    .quad 0
__gdt_pointer:
    .word 39
    .quad __gdt

    .section .noinit, "aw", @nobits
    .align 4096
    .globl __boot_tables, __tables, __interrupt_guard, __interrupt_stack_top
    .globl __exception_guard, __exception_stack_top, __stack_guard, __stack_top
__boot_tables: .skip 3*4096
__tables: .skip 13*4096
__interrupt_guard: .skip 4096
    .skip 4096
__interrupt_stack_top:
__exception_guard: .skip 4096
    .skip 16384
__exception_stack_top:
__stack_guard: .skip 4096
    .skip 262144                       /* 256 KiB: keys of ML-KEM and P-521 are made on it */
__stack_top:
"#,
    main = sym crate::main,
);
