// Which sanitizer this is compiled with, 1 or 0 each: GCC says so by macros, clang only by
// __has_feature. To be used with #if, never #ifdef: then a missing #include is a warning (-Wundef).
#pragma once

#if defined(__has_feature)
#define CW_HAS_FEATURE(name) __has_feature(name)
#else
#define CW_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || CW_HAS_FEATURE(address_sanitizer)
#define CW_ADDRESS_SANITIZER 1
#else
#define CW_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || CW_HAS_FEATURE(thread_sanitizer)
#define CW_THREAD_SANITIZER 1
#else
#define CW_THREAD_SANITIZER 0
#endif

#if CW_HAS_FEATURE(memory_sanitizer)
#define CW_MEMORY_SANITIZER 1
#else
#define CW_MEMORY_SANITIZER 0
#endif
