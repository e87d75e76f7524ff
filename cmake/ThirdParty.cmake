# Third-party artefacts that are no Debian packages; scripts/lib/deps.sh puts them in place.
set(BREVET_THIRD_PARTY ${CMAKE_SOURCE_DIR}/third_party CACHE PATH "Where scripts/lib/deps.sh puts what is no Debian package")
add_library(onnxruntime::onnxruntime INTERFACE IMPORTED)
add_library(hnswlib::hnswlib INTERFACE IMPORTED)
