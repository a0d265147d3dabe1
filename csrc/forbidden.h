/* Memory of ours that nobody may touch: free blocks, and what lies between the pieces
 * of a block. The address sanitizer finds who does; other builds do nothing here. */
#ifndef FASTDL_FORBIDDEN_H
#define FASTDL_FORBIDDEN_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FASTDL_HAS_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FASTDL_HAS_ASAN
#endif

#ifdef FASTDL_HAS_ASAN
#include <sanitizer/asan_interface.h>
enum { FORBIDDEN = 64 }; /* bytes behind each piece */
#define forbid(p, bytes) __asan_poison_memory_region(p, bytes)
#define allow(p, bytes) __asan_unpoison_memory_region(p, bytes)
#else
enum { FORBIDDEN = 0 };
#define forbid(p, bytes) ((void)(p), (void)(bytes))
#define allow(p, bytes) ((void)(p), (void)(bytes))
#endif

#endif
