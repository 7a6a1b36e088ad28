using StableTune.Formats;
using StableTune.FullSize;
using StableTune;

// One measurement a process, so that start-up and peak memory belong to it alone. benchmarks/full-size.sh runs them all.
//   make FOLDER [f32|f16|bf16]                      writes an SD 1.5 with random weights as a diffusers folder
//   make-model sd15|sdxl|small-sd15|small-sdxl FOLDER f32|f16|bf16      the same of other models; the small ones are for trying out
//   load MODEL                                      reads the model's bytes once, then loads it in its stored types
//   save MODEL DESTINATION FORMAT                   loads it, writes as many bytes once, then saves it (ModelFormat)
//   convert MODEL DESTINATION FORMAT                reads and writes as many bytes once, then converts from file to file
//   make-tiny FOLDER                                writes the tests' tiny SD 1.x with its tokenizer
//   read FOLDER                                     reads the UNet's bytes once: what loading is compared with
//   train FOLDER float32|bfloat16 [checkpointing]   loads the UNet, trains 3 LoRA steps (rank 8, batch 1, 256x256)
//   train FOLDER float32|bfloat16 kept MIB          the same with so much freed memory kept
//   train FOLDER float32|bfloat16 kind KIND         the same with another kind of adapter: lokr, dora, boft ...
//   kinds                                           the names of these kinds
//   method FOLDER NAME                              3 steps of a training method by the public API: full, controlnet, leco ...
//   methods                                         the names of these methods
//   optimizers RANK [NAME ...]                      a step of each optimizer: an adapter's 528 tensors, and 100 million parameters
//   memory MODEL lora|full SIDE [bfloat16 checkpointing 8bit fp8 ...]      estimated and measured memory of three steps (MemorySteps)
//   devices MODEL cpu,cpu BATCH                     steps whose batch devices and processes share (DeviceSteps)
//   watch MODEL STEPS ROUNDS                        what logs and progress cost a step, of runs with and without them
//   states MODEL lora|full SIDE                     time to write and take up a state, and the pause of a save in the background
//   soak MODEL STEPS                                trains a tiny model for many steps and watches live tensors and memory
switch (args)
{
    case ["make", var folder]: RandomModel.WriteSd15(folder); break;
    case ["make", var folder, var type]: RandomModel.WriteSd15(folder, Enum.Parse<TensorDType>(type, ignoreCase: true)); break;
    case ["make", var folder, var type, var seed]: RandomModel.WriteSd15(
        folder, Enum.Parse<TensorDType>(type, ignoreCase: true), ulong.Parse(seed)); break;
    case ["make-model", var model, var folder, var type]: ModelFiles.Make(
        model, folder, Enum.Parse<TensorDType>(type, ignoreCase: true)); break;
    case ["load", var model]: ModelFiles.Load(model); break;
    case ["save", var model, var destination, var format]: ModelFiles.Save(model, destination, Enum.Parse<ModelFormat>(format)); break;
    case ["convert", var model, var destination, var format]: ModelFiles.Convert(
        model, destination, Enum.Parse<ModelFormat>(format)); break;
    case ["make-tiny", var folder]: TinyModel.Write(folder); break;
    case ["read", var folder]: ReadBytes.Run(folder); break;
    case ["train", var folder, var type]: LoRASteps.Run(
        folder, Enum.Parse<ScalarType>(type, ignoreCase: true), checkpointing: false); break;
    case ["train", var folder, var type, "checkpointing"]: LoRASteps.Run(
        folder, Enum.Parse<ScalarType>(type, ignoreCase: true), checkpointing: true); break;
    case ["train", var folder, var type, "kept", var mebibytes]: LoRASteps.Run(
        folder, Enum.Parse<ScalarType>(type, ignoreCase: true), checkpointing: false, long.Parse(mebibytes) << 20); break;
    case ["train", var folder, var type, "kind", var kind]: LoRASteps.Run(
        folder, Enum.Parse<ScalarType>(type, ignoreCase: true), checkpointing: false, kind: kind); break;
    case ["kinds"]: Console.WriteLine(string.Join(' ', LoRASteps.Kinds.Keys)); break;
    case ["method", var folder, var method]: MethodSteps.Run(folder, method); break;
    case ["methods"]: Console.WriteLine(string.Join(' ', MethodSteps.Methods.Keys)); break;
    case ["optimizers", var rank, .. var names]: OptimizerSteps.Run(long.Parse(rank), names); break;
    case ["memory", var model, var kind, var side, .. var options]: MemorySteps.Run(model, kind, int.Parse(side), options); break;
    case ["devices", var model, var devices, var batch]: DeviceSteps.Run(model, devices, int.Parse(batch)); break;
    case ["watch", var model, var steps, var rounds]: RunSaves.Watch(model, int.Parse(steps), int.Parse(rounds)); break;
    case ["states", var model, var kind, var side]: RunSaves.States(model, kind, int.Parse(side)); break;
    case ["soak", var model, var steps]: Soak.Run(model, int.Parse(steps)); break;
    default: Console.Error.WriteLine("see benchmarks/StableTune.FullSize/Program.cs"); return 2;
}

return 0;
