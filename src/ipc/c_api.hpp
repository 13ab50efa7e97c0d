// What the C functions of ipc.h have in common.
//
// Threading: pure. Invariants: as in client/c_api.hpp.
#pragma once

#include <causeway/ipc.h>

#include <cstdint>

#include "base/result.hpp"
#include "client/c_api.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {

inline constexpr char kNoPartition[] = "no partition given (NULL)";
inline constexpr char kNoPlace[] = "no place for the result given (NULL)";
inline constexpr char kNoObject[] = "no object given (NULL)";

// Of a connecting end: 0 leaves sizes to the other one.
inline constexpr Terms kConnecting{.largest = 0, .largest_answer = 0};

// The options as terms; `defaults` says what 0 means.
[[nodiscard]] Result<Terms> terms_of(const cw_ipc_options* options, const Terms& defaults);

// What a call needs that makes an object. CW_OK, or a cw_error.
[[nodiscard]] int check_making(const cw_partition* partition, const char* name,
                               const void* out) noexcept;

// What a call on an object needs, which names a place for a result if it needs one.
template<typename Object>
[[nodiscard]] int check_use(const Object* object, const void* place) noexcept {
    if (object == nullptr)
        return client::capi::missing(kNoObject);
    if (!object->shared->here())
        return client::capi::forked();
    if (place == nullptr)
        return client::capi::missing(kNoPlace);
    return CW_OK;
}
template<typename Object>
[[nodiscard]] int check_use(const Object* object) noexcept {
    return check_use(object, object);
}

// The descriptor of an object, or -cw_error.
template<typename Object>
[[nodiscard]] int file_of(Object* object) noexcept {
    const int error = check_use(object);
    return error != CW_OK ? -error : object->shared->fd();
}

}  // namespace causeway::ipc::inner
