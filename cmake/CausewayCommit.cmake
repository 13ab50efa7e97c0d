# causeway_commit: a library of one generated source that says which commit this tree is at. Looked up at every build,
# written only when it changed: a new HEAD recompiles that one source and links who asks.

set(commit_source ${PROJECT_BINARY_DIR}/generated/commit.cpp)
add_custom_target(causeway_write_commit
    COMMAND ${CMAKE_COMMAND}
        -D SOURCE=${PROJECT_SOURCE_DIR} -D OUTPUT=${commit_source}
        -P ${PROJECT_SOURCE_DIR}/cmake/write_commit.cmake
    BYPRODUCTS ${commit_source}
    COMMENT "Looking up the commit"
    VERBATIM)
add_library(causeway_commit STATIC ${commit_source})
add_dependencies(causeway_commit causeway_write_commit)
target_include_directories(causeway_commit PRIVATE ${PROJECT_SOURCE_DIR}/apps/causeway)
