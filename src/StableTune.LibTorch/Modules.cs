namespace StableTune.LibTorch.Modules;

/// <summary>Keeps the namespace that every project imports in existence; the modules themselves are in the folder NN.</summary>
internal static class ModulesNamespace;
