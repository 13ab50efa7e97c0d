// What a count of instructions depends on beside the source: compiler, build type, and the vectors
// that the copies use under callgrind, which knows no wider ones than AVX2's.
//
// Threading: any.
#pragma once

#include <string>

#include "engine/copy.hpp"

namespace causeway::test {

[[nodiscard]] inline std::string built() {
#ifdef __clang__
    std::string text = "clang " __clang_version__;
#else
    std::string text = "g++ " __VERSION__;
#endif
    text += ", " CAUSEWAY_BUILD_TYPE;
    return text +
           (engine::runs_here(engine::CopyKernel::vector_avx) ? ", avx copies" : ", sse2 copies");
}

}  // namespace causeway::test
