#!/usr/bin/env bash
# Where the time of a step goes: samples of the eighth step of LoRA training on an SD 1.5 with random weights (float32, one thread), by
# what they fall into. Needs Linux's perf, 5 GB of disk below the temporary folder, and a quiet machine.
#   bash benchmarks/kernel-share.sh [SIDE [float32|bfloat16]]      512 pixels, float32 when not said
command -v perf > /dev/null || { echo "perf is missing: install linux-perf (Debian) or linux-tools (Ubuntu)" >&2; exit 1; }
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" make "$work/sd15" f32
mkfifo "$work/control" "$work/ack"
export SIDE=${1:-512} STEPS=8 OMP_NUM_THREADS=1 DOTNET_PerfMapEnabled=1 DOTNET_EnableWriteXorExecute=0
PERF_CONTROL=$work/control PERF_ACK=$work/ack perf record --quiet --freq 2000 --delay=-1 --control "fifo:$work/control,$work/ack" \
  --output "$work/data" dotnet "$program" train "$work/sd15" "${2:-float32}" kept 1024
# .NET names its code in a map for perf; generated code without a name is oneDNN's. Our own products are among .NET's (StoredPanel), some of
# MKL's functions do not have its name (gblock_by_k_omp adds up blocks of a product, omp_parallel_acopy packs a factor).
perf report --input "$work/data" --no-children --sort dso,symbol --stdio 2> /dev/null | awk '
  !/^ +[0-9.]+%/ { next }
  { share = $1 + 0; dso = $2; symbol = substr($0, index($0, "[") ) }
  dso ~ /^\[JIT\]|doublemapper/ { kind = symbol ~ /\] 0x|StoredPanel/ ? "products and convolutions" : ".NET" }
  dso ~ /libcoreclr|libclrjit|System\.|dotnet|libhostfxr/ { kind = ".NET" }
  dso ~ /kernel/ { kind = "the system (pages of memory)" }
  dso ~ /libc\.so|ld-linux|libstdc|vdso/ { kind = "allocation and copying of the C library" }
  dso ~ /libm\.so/ { kind = "other kernels" }
  dso ~ /libc10|LibTorchSharp/ { kind = "libtorch around kernels" }
  dso ~ /libtorch_cpu|libgomp|libiomp/ {
    kind = symbol ~ /flash_attention/ ? "attention" \
      : symbol ~ /mkl_|gblock_|omp_parallel_[ab]copy|dnnl|im2col|col2im|unfolded2d|gemm/ ? "products and convolutions" \
      : symbol ~ /GroupNorm|LayerNorm|RowwiseMoments|ComputeInternalGradients/ ? "norms" \
      : symbol ~ /at::native|ectorized|Sleef|_kernel/ ? "other kernels" : "libtorch around kernels"
  }
  { of[kind] += share; all += share }
  END {
    for (kind in of) printf "%6.1f %%  %s\n", 100 * of[kind] / all, kind | "sort -rn"
    close("sort -rn")
    printf "%6.1f %%  inside kernels\n", 100 * (of["products and convolutions"] + of["attention"] + of["norms"] + of["other kernels"]) / all
  }'
